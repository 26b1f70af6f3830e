import { type CounterName, type CounterTable, counts, drops } from '../base/counters.ts';

/** What is counted of the questions that nodes ask each other. */
export const QUESTION_COUNTERS = {
  'question.malformed': drops('message', 'Questions and pages of answers that could not be read.'),
  'question.refused': drops(
    'message',
    'Questions of other nodes for which there was no room. The node that asked says that this one did not answer.',
  ),
  'question.stray': drops(
    'message',
    'Pages of answers to questions that this node does not ask, or no longer: they came too late.',
  ),
  'question.unanswered': counts(
    'Questions to other nodes that were not answered in time. Usual for nodes of versions that know no questions.',
  ),
} as const satisfies CounterTable;

/** A name of these. */
export type QuestionCounter = CounterName<typeof QUESTION_COUNTERS>;
