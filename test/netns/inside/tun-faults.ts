// Opens TUN devices that cannot be opened, and prints the codes of the errors as JSON. With an argument: just one.
import { WeftError } from '../../../base/weft-error.ts';
import { openTun } from '../../../native/tun.ts';

function codeOf(name: string): string {
  try {
    openTun(name, { persistent: false }).close();
    return 'none';
  } catch (error) {
    return error instanceof WeftError ? error.code : String(error);
  }
}

if (process.argv[2] !== undefined) console.log(JSON.stringify(codeOf('denied0')));
else {
  const held = openTun('held0', { persistent: false });
  console.log(JSON.stringify({ busy: codeOf('held0'), kind: codeOf('lo'), name: codeOf('a/b') }));
  held.close();
}
