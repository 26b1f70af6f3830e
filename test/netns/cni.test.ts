import { SmallDaemon } from './cni-small-daemon.ts';
import { describeCni } from './cni-suite.ts';

describeCni('a daemon of its own', (node, runDir) => new SmallDaemon(node, runDir));
