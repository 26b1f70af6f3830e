import { loadAll } from 'js-yaml';
import { isRecord } from './objects.ts';

/**
 * The objects in a text of YAML or JSON, as `kubectl apply -f` takes one: several documents, and lists within them.
 * Throws an Error that says where the text is wrong. The objects are not judged.
 */
export function readYamlDocuments(text: string): unknown[] {
  return loadAll(text)
    .filter((document) => document !== null && document !== undefined)
    .flatMap((document) =>
      isRecord(document) && Array.isArray(document.items) ? (document.items as unknown[]) : [document],
    );
}
