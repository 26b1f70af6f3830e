/** An error: something does not work until somebody acts. A warning: everything works, and that may not last. */
type Severity = 'error' | 'warning';

/** A stable name for programs: `E_…` is an error, `W_…` a warning. */
type WarningCode = `E_${string}` | `W_${string}`;

/** What a warning says. `{name}` stands for a value that is given when the warning is made. */
interface WarningDeclaration {
  /** What is wrong, a clause without a full stop. */
  readonly message: string;
  /** What the user can do about it, an imperative clause without a full stop. */
  readonly remedy: string;
}

/** The warnings that a room declares, by code. */
export type WarningTable = Readonly<Record<WarningCode, WarningDeclaration>>;

/** Something that a user should know of and do something about, for as long as it stands. */
export interface Warning<Code extends string = string> {
  readonly code: Code;
  readonly severity: Severity;
  readonly message: string;
  readonly remedy: string;
}

type PlaceholderIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlaceholderIn<Rest>
  : never;
type PlaceholderOf<Declaration extends WarningDeclaration> = PlaceholderIn<
  Declaration['message'] | Declaration['remedy']
>;
/** A value for each placeholder; no argument where there is none. */
type ValuesOf<Declaration extends WarningDeclaration> = [PlaceholderOf<Declaration>] extends [never]
  ? readonly []
  : readonly [values: Readonly<Record<PlaceholderOf<Declaration>, string | number>>];

/** The warning that `table` declares as `code`, with the values that it needs. */
export function warningOf<Table extends WarningTable, Code extends keyof Table & WarningCode>(
  table: Table,
  code: Code,
  ...[values]: ValuesOf<Table[Code]>
): Warning<Code> {
  const { message, remedy } = table[code]!;
  const given: Readonly<Record<string, string | number>> = values ?? {};
  // Only placeholders of the declaration are replaced: a value may hold braces of its own.
  const fill = (text: string): string =>
    text.replace(/\{(\w+)\}/g, (placeholder, name: string) => String(given[name] ?? placeholder));
  return { code, severity: severityOf(code), message: fill(message), remedy: fill(remedy) };
}

/** What a code says of how grave it is; of anything but a `W_…` that it is an error. */
function severityOf(code: string): Severity {
  return code.startsWith('W_') ? 'warning' : 'error';
}

/** A standing fault of the environment as a warning. */
export function warningOfError(error: {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}): Warning {
  const { code, message, remedy } = error;
  return { code, severity: severityOf(code), message, remedy };
}

/** A warning as the one line that a user reads. */
export function warningLine({ message, remedy }: Pick<Warning, 'message' | 'remedy'>): string {
  return remedy === '' ? message : `${message}; ${remedy}`;
}
