import type { ApiClient } from './api-client.io.ts';
import { ApiError } from './api-error.ts';
import { SECRET_NAME, secretObject } from './secret-object.ts';

/**
 * The Secret of the cluster as it is in the API, made by `newSecret` where there is none. Of all who try at once one
 * succeeds; the others get what that one made. Rejects with an {@link ApiError}.
 */
export async function ensureSecretObject(
  client: ApiClient,
  namespace: string,
  newSecret: () => string,
): Promise<unknown> {
  const collection = `/api/v1/namespaces/${namespace}/secrets`;
  const get = (): Promise<unknown> => client.request(`${collection}/${SECRET_NAME}`);
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
  }
  try {
    return await client.request(collection, { method: 'POST', body: secretObject(namespace, newSecret()) });
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
    return get();
  }
}
