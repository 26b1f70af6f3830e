import { type CounterName, type CounterTable, counts, drops } from '../base/counters.ts';

/** What is counted of the flows that users watch. */
export const FLOW_COUNTERS = {
  'flow.events': counts(
    'Connections that began, ended or were found, of which this node told; nothing is told while nobody watches.',
  ),
  'flow.overruns': counts(
    'Times that the kernel had more events of connections than were read. Readers see a gap, and a dump finds what it hid.',
  ),
  'flow.floods': counts(
    'Times that more connections began than this node reads, so that it read nothing for a second. Readers see a gap.',
  ),
  'flow.untracked': counts(
    'Connections that had no place among those that are known. They are told when they begin and end, not in between.',
  ),
  'flow.otherPairs': counts(
    'Connections that had no place of their own in the totals of ten seconds, and count among `other` there.',
  ),
  'flow.recordsLost': counts('Records that a reader was too slow for. It was told how many.'),
  'flow.badAnswers': drops(
    'message',
    'Answers of other nodes about their flows and tunnels that could not be read, or held more than was asked for. The node is named as one that did not tell.',
  ),
} as const satisfies CounterTable;

/** A name of these. */
export type FlowCounter = CounterName<typeof FLOW_COUNTERS>;
