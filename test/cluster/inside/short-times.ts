// Loaded before a program (node --import) by tests that want other times in it: see ../short-times.ts.
import { registerHooks } from 'node:module';
import type { TimesByFile } from '../short-times.ts';

const timesByFile = JSON.parse(process.env.SHORT_TEST_TIMES ?? '{}') as TimesByFile;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const file = Object.keys(timesByFile).find((end) => url.endsWith(end));
    if (file === undefined) return loaded;
    let source = String(loaded.source);
    for (const [name, ms] of Object.entries(timesByFile[file]!)) {
      const times = source.split(new RegExp(`\\bconst ${name} = [\\d_]+;`));
      if (times.length !== 2) throw new Error(`short-times: ${file} has no ${name}`);
      source = times.join(`const ${name} = ${ms};`);
    }
    return { ...loaded, source };
  },
});
