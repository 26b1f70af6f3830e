import { until } from '../../../cluster/command.ts';
import type { NpcProcess } from '../npc-process.ts';
import type { NodeUnderTrial } from './node-under-trial.ts';

/** Something that keeps weft-npc from its work while pods start. */
export interface Disturbance {
  readonly name: string;
  /**
   * For whom weft-npc can speak meanwhile: all; none; those that it knew before. The others are closed where a policy may
   * select them. Without nft it speaks for those whose rules are there already, so it may for some.
   */
  readonly speaks: 'for all' | 'for none' | 'for known' | 'for some';
  /** Whether pods that no policy may select are open meanwhile. */
  readonly opens: boolean;
  /** Whether rules are gone for a moment when it begins. */
  readonly flushes?: boolean;
  begin(node: NodeUnderTrial): Promise<void>;
  end(node: NodeUnderTrial): Promise<void>;
}

/** Of {@link REPLACED}: who makes room, and is ended at last. */
let former: NpcProcess | undefined;

const restart = async (node: NodeUnderTrial): Promise<void> => {
  node.npc = node.npcHost.start();
};

/** The states of weft-npc in which pods start, in the order in which they are tried. */
export const DISTURBANCES: readonly Disturbance[] = [
  { name: 'serving', speaks: 'for all', opens: true, begin: async () => {}, end: async () => {} },
  {
    name: 'killed',
    speaks: 'for none',
    opens: true,
    begin: (node) => node.npc.stop('SIGKILL'),
    end: restart,
  },
  {
    name: 'stopped (SIGSTOP)',
    speaks: 'for none',
    opens: true,
    begin: async ({ npc }) => void npc.child.kill('SIGSTOP'),
    end: async ({ npc }) => void npc.child.kill('SIGCONT'),
  },
  {
    name: 'being replaced',
    speaks: 'for all',
    opens: true,
    begin: async (node) => {
      former = node.npc;
      await restart(node);
    },
    end: async () => {
      await former!.says('another weft-npc serves this node now');
      await former!.stop();
      former = undefined;
    },
  },
  {
    name: 'cut off from the API',
    speaks: 'for known',
    opens: true,
    begin: (node) => node.cutOff(),
    end: (node) => node.joinAgain(),
  },
  {
    name: 'unable to run nft',
    speaks: 'for some',
    opens: true,
    begin: async (node) => node.breakNft('weft-npc'),
    end: async (node) => node.mendNft('weft-npc'),
  },
  {
    name: 'unable to run nft, and weftd too',
    speaks: 'for some',
    opens: false,
    begin: async (node) => {
      for (const program of ['weft-npc', 'weftd'] as const) node.breakNft(program);
    },
    end: async (node) => {
      for (const program of ['weft-npc', 'weftd'] as const) node.mendNft(program);
    },
  },
  {
    name: 'killed, and its table flushed',
    speaks: 'for none',
    opens: true,
    flushes: true,
    begin: async (node) => {
      await node.npc.stop('SIGKILL');
      await node.host.nft('flush', 'ruleset');
      await until('weftd to have laid its gate anew', () => node.host.isLaid());
    },
    end: restart,
  },
];
