/** One setting of a program. */
export interface Setting {
  /** one: a single value. many: repeatable. switch: `--x` and `--no-x`, true or false elsewhere. */
  readonly kind: 'one' | 'many' | 'switch';
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
}

/** All settings of a program, and what its users call them. */
export interface SettingTable<Name extends string = string> {
  /** The program's name: `weftd`. */
  readonly program: string;
  /** What its environment variables begin with: `WEFT_`. */
  readonly prefix: string;
  /** By name: `--name` on the command line, `WEFT_NAME` in the environment, `"name"` in the file. */
  readonly settings: Readonly<Record<Name, Setting>>;
  /** What to do about variables that users may think of but that no setting has, beside unsetting them. */
  readonly remedyByUnknownVariable?: Readonly<Record<string, string>>;
}

/** What reading the text of one setting gave: a value, or what is wrong and what to do, as two clauses. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string; readonly remedy: string };

/** The text was read. */
export function good<T>(value: T): Reading<T> {
  return { ok: true, value };
}

/** The text cannot be read: `'x' <problem>; <remedy>`. */
export function bad(problem: string, remedy: string): Reading<never> {
  return { ok: false, problem, remedy };
}
