import { deepEqual, equal, ok } from 'node:assert/strict';
import { pageFiles } from '../../../../ui/page-files.io.ts';

/** All that a browser loads for the page, bytes. */
const MAX_BYTES = 300_000;

describe('the files of the page', () => {
  const files = pageFiles();
  const html = files.get('/')!.bytes.toString('utf8');
  const text = (path: string): string => files.get(path)!.bytes.toString('utf8');
  const scripts = [...files.keys()].filter((path) => path.startsWith('/page/') && path.endsWith('.js'));

  it(`are less than ${MAX_BYTES} bytes all told, with those of packages`, () => {
    const bytes = [...files.values()].reduce((sum, file) => sum + file.bytes.length, 0);
    ok(bytes < MAX_BYTES, `${bytes} bytes`);
  });

  it('hold no script and no style in line, which the policy of the page refuses', () => {
    deepEqual(
      [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:/g)].map(
        ([found]) => found,
      ),
      [],
    );
  });

  it('turn no text into markup or code', () => {
    const wrong = scripts.filter((path) =>
      /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function|DOMParser)\b/.test(
        text(path),
      ),
    );
    deepEqual(wrong, []);
  });

  it('are fetched at once, and not one after the other as each is found to need the next', () => {
    const fetched = [...html.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, path]) => path!);
    const needed = scripts.filter((path) => !/\/(main|layout-worker)\.js$/.test(path));
    deepEqual(fetched.toSorted(), needed.toSorted());
  });

  it('are all there, and all needed', () => {
    const named = [html, ...scripts.map(text)].join('\n');
    const missing = [...html.matchAll(/(?:src|href)="(\/[^"]*)"/g)].filter(([, path]) => !files.has(path!));
    deepEqual(missing, []);
    for (const path of files.keys()) if (path !== '/') ok(named.includes(path.split('/').at(-1)!), path);
    equal(files.get('/page/main.js')?.type, 'text/javascript; charset=utf-8');
  });
});
