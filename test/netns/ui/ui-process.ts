import { type ChildProcess, spawn } from 'node:child_process';
import type { Picture } from '../../../ui/picture/picture.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';

const WEFT = new URL('../../../bin/weft', import.meta.url).pathname;

/** What a request came to. */
export interface UiAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was answered, for tests to look into.
  readonly json: any;
  readonly text: string;
}

/** `weft ui` in a node's namespace, and who asks it from there by curl. */
export class UiProcess {
  readonly child: ChildProcess;
  readonly #namespace: string;
  #stdout = '';
  stderr = '';

  private constructor(namespace: string, child: ChildProcess) {
    this.#namespace = namespace;
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** Starts it and waits for its link. */
  static async start(
    namespace: string,
    runDir: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<UiProcess> {
    const [program, ...rest] = inNamespace(namespace, [WEFT, '--run-dir', runDir, 'ui', ...args]);
    const child = spawn(program!, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const ui = new UiProcess(namespace, child);
    await until('the link', () => {
      if (ui.child.exitCode !== null) throw new Error(`it ended: ${ui.stderr}`);
      return ui.links.length > 0;
    });
    return ui;
  }

  /** All links that it printed. */
  get links(): readonly string[] {
    return [...this.#stdout.matchAll(/^http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}$/gm)].map(([link]) => link);
  }

  get port(): number {
    return Number(new URL(this.links[0]!).port);
  }

  /** Presses Enter, and gives the new link. */
  async nextLink(): Promise<string> {
    const before = this.links.length;
    this.child.stdin?.write('\n');
    return until('another link', () => this.links[before]);
  }

  /** What the page does with a link; gives the session. */
  async follow(link: string): Promise<string> {
    const { status, json, text } = await this.post('/api/session', { token: link.split('#')[1] });
    if (status !== 200) throw new Error(text);
    return json.session as string;
  }

  /** A request by curl; `as` runs it: `setpriv` and its arguments. */
  async get(
    path: string,
    { session, headers = [], as = [] }: { session?: string; headers?: string[]; as?: string[] } = {},
  ): Promise<UiAnswer> {
    const fields = [...headers, ...(session === undefined ? [] : [`Authorization: Bearer ${session}`])];
    return this.#curl(path, fields, [], as);
  }

  async post(path: string, body: object, session?: string): Promise<UiAnswer> {
    const fields = ['Content-Type: application/json'];
    if (session !== undefined) fields.push(`Authorization: Bearer ${session}`);
    return this.#curl(path, fields, ['--data-binary', JSON.stringify(body)], []);
  }

  async picture(session: string): Promise<Picture> {
    const { status, json, text } = await this.get('/api/picture', { session });
    if (status !== 200) throw new Error(`${status} ${text}`);
    return json as Picture;
  }

  /** Reads the stream of events; gives what came so far. */
  live(session: string): { readonly child: ChildProcess; readonly text: () => string } {
    const argv = ['curl', '-sN', '-H', `Authorization: Bearer ${session}`, this.#url('/api/live')];
    const [program, ...rest] = inNamespace(this.#namespace, argv);
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    return { child, text: () => text };
  }

  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await endProcess(this.child, signal);
  }

  async #curl(
    path: string,
    fields: readonly string[],
    more: readonly string[],
    as: readonly string[],
  ): Promise<UiAnswer> {
    const argv = [
      ...as,
      'curl',
      '-s',
      '--path-as-is',
      '-w',
      '\\n%{http_code}',
      ...fields.flatMap((each) => ['-H', each]),
    ];
    const { stdout } = await run([...argv, ...more, this.#url(path)], {
      namespace: this.#namespace,
      mayFail: true,
    });
    const end = stdout.lastIndexOf('\n');
    const text = stdout.slice(0, end);
    const json = text.startsWith('{') ? JSON.parse(text) : undefined;
    return { status: Number(stdout.slice(end + 1)), json, text };
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }
}
