import { RealDaemon } from './cni-real-daemon.ts';
import { describeCni } from './cni-suite.ts';

describeCni('weftd', (node, runDir) => new RealDaemon(node, runDir));
