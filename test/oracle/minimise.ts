type Json = null | boolean | number | string | undefined | readonly Json[] | { readonly [key: string]: Json };

/**
 * The smallest value that it finds which still has a property: takes away members of lists and fields of objects, one
 * after another, as long as one can go.
 *
 * @param holds Whether a value has the property; a value on which it throws has not.
 */
export function minimise<T>(value: T, holds: (smaller: T) => boolean): T {
  const stillHolds = (smaller: T): boolean => {
    try {
      return holds(smaller);
    } catch {
      return false;
    }
  };
  let current = value;
  for (let shrunk = true; shrunk; ) {
    shrunk = false;
    for (const smaller of smallerBy(current as Json)) {
      if (!stillHolds(smaller as T)) continue;
      current = smaller as T;
      shrunk = true;
      break;
    }
  }
  return current;
}

/** Each value that has one thing less, those first that have a whole object less. */
function* smallerBy(value: Json): Generator<Json> {
  if (typeof value !== 'object' || value === null) return;
  if (isList(value)) {
    for (let i = 0; i < value.length; i++) yield value.toSpliced(i, 1);
    for (let i = 0; i < value.length; i++)
      for (const smaller of smallerBy(value[i])) yield value.with(i, smaller);
    return;
  }
  for (const key of Object.keys(value))
    yield Object.fromEntries(Object.entries(value).filter(([one]) => one !== key));
  for (const [key, inner] of Object.entries(value))
    for (const smaller of smallerBy(inner)) yield { ...value, [key]: smaller };
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
