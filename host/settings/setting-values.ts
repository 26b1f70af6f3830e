import { printable } from '../../base/printable.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { Reading } from './setting.ts';
import type { Given } from './setting-sources.ts';

/** Values of one repeatable setting: more is a mistake, and every list has a limit. */
const MAX_VALUES = 64;

/** Reads the texts of settings. */
interface SettingValues<Name extends string> {
  /** All values of a setting. A text that cannot be read becomes a fault and is left out. */
  values<T>(name: Name, read: (text: string) => Reading<T>): T[];
  /** The one value of a setting, or `otherwise` where none was given or read. */
  one<T>(name: Name, read: (text: string) => Reading<T>, otherwise: T): T;
}

/** A reader of what was given; it adds to `faults`. */
export function settingValues<Name extends string>(
  given: Given<Name>,
  faults: WeftError[],
): SettingValues<Name> {
  const values = <T>(name: Name, read: (text: string) => Reading<T>): T[] => {
    const found = given.get(name);
    if (!found) return [];
    if (found.texts.length > MAX_VALUES) {
      const message = `${found.source} is given ${found.texts.length} times`;
      faults.push(valueFault(message, `give at most ${MAX_VALUES}`));
      return [];
    }
    return found.texts.flatMap((text) => {
      const reading = read(text);
      if (reading.ok) return [reading.value];
      faults.push(valueFault(`${found.source} '${printable(text, 80)}' ${reading.problem}`, reading.remedy));
      return [];
    });
  };
  return {
    values,
    one: (name, read, otherwise) => {
      const found = values(name, read);
      return found.length > 0 ? found[0]! : otherwise;
    },
  };
}

/** A value that cannot be, or that does not go with another one: E_CONFIG_VALUE. */
export function valueFault(message: string, remedy: string): WeftError {
  return new WeftError('E_CONFIG_VALUE', message, remedy);
}
