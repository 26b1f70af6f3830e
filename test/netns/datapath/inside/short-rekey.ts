// Loaded before weftd (node --import) by tests that want to see sessions renewed often: the times of
// router/tunnel/sessions.ts are others in this process. Ends it where they are not found.
import { registerHooks } from 'node:module';

const FILE = '/router/tunnel/sessions.ts';
const TIMES: Readonly<Record<string, number>> = {
  REKEY_AFTER_MS: 2000,
  REKEY_JITTER_MS: 500,
  RESPONDER_REKEY_AFTER_MS: 4000,
};

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(FILE)) return loaded;
    let source = String(loaded.source);
    for (const [name, ms] of Object.entries(TIMES)) {
      const times = source.split(new RegExp(`\\bconst ${name} = [\\d_]+;`));
      if (times.length !== 2) throw new Error(`short-rekey: ${FILE} has no ${name}`);
      source = times.join(`const ${name} = ${ms};`);
    }
    return { ...loaded, source };
  },
});
