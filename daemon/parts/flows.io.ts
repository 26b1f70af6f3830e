import type { FlowHandlers } from '../control-handlers.ts';
import type { FlowWatch, FlowWatchOptions } from '../flows/flow-watch.io.ts';

/** Flows, as users watch them. */
interface Flows {
  readonly handlers: FlowHandlers;
  close(): void;
}

/** Answers who asks for flows, or for tunnels of other nodes: users and other nodes. What it takes is loaded when somebody does, or for `--flows`. */
export function openFlows(options: FlowWatchOptions): Flows {
  const { config, loop } = options;
  let loading: Promise<FlowWatch> | undefined;
  let isClosed = false;
  const load = (): Promise<FlowWatch> => {
    loading ??= import('../flows/flow-watch.io.ts').then(({ openFlowWatch }) => {
      const watch = openFlowWatch(options);
      if (isClosed) watch.close();
      return watch;
    });
    return loading;
  };
  loop.on('question', (question) => void load().then(({ peers }) => peers.question(question)));
  loop.on('answer', (answer) => void load().then(({ peers }) => peers.answered(answer)));
  if (config.flows || config.flowBytes) void load();
  return {
    handlers: {
      flows: async (request, { whenGone }) => {
        const gone = new Promise<void>((resolve) => whenGone(resolve));
        const { answers, cluster } = await load();
        return request.cluster ? cluster.flows(request, gone) : answers.flows(request, gone);
      },
      flowTotals: async (request) => {
        const { answers, cluster } = await load();
        return request.cluster ? cluster.totals(request) : answers.totals(request);
      },
      clusterTunnels: async () => {
        const [{ peers }, { clusterTunnels }] = await Promise.all([
          load(),
          import('../flows/cluster-tunnels.io.ts'),
        ]);
        return clusterTunnels(peers);
      },
    },
    close: () => {
      isClosed = true;
      void loading?.then((watch) => watch.close());
    },
  };
}
