import { TableWriter } from '../../../../npc/table-writer.io.ts';

/** A writer of the table, and how often it took another program for the author of a change. */
export function watchedWriter(): { readonly writer: TableWriter; readonly stirs: () => number } {
  let stirs = 0;
  const writer = new TableWriter({
    version: 'test',
    onStirred: () => {
      stirs++;
    },
    onError: (error) => {
      throw error;
    },
  });
  return { writer, stirs: () => stirs };
}
