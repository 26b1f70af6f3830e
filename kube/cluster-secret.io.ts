import { setTimeout as delay } from 'node:timers/promises';
import type { RandomSource } from '../base/random.ts';
import type { ApiClient } from './api-client.io.ts';
import { ApiError } from './api-error.ts';
import { readConfigMap, readList, readNode } from './objects.ts';
import { clusterIdOf, GENESIS_NAME } from './ring-object.ts';
import { type ClusterSecret, decideSecret, type SecretDecision } from './secret-decision.ts';
import { SECRET_NAME, secretObject, secretOf } from './secret-object.ts';
import { untilGranted } from './until-granted.io.ts';

/** Between two looks while a node waits for a Secret. */
const LOOK_MS = 2_000;
/** A node that is refused looks for so long whether somebody mended it. Then the kubelet starts it again. */
const REFUSED_MS = 60_000;
/** Nodes that are looked at. */
const NODE_PAGE = 100;

/** What {@link obtainSecret} needs. */
export interface SecretOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** What this node kept, and how to create the object that began its ring. */
  readonly kept: { readonly secret: ClusterSecret; readonly genesisObject: unknown } | undefined;
  readonly newSecret: () => string;
  /** Hex of the cluster that a secret names. Throws a WeftError where it is no secret. */
  readonly clusterIdOf: (text: string) => string;
  readonly random: RandomSource;
  /** Something that a user should read. */
  readonly say: (line: string) => void;
  /** For tests; milliseconds. */
  readonly lookMs?: number;
  readonly refusedMs?: number;
}

/**
 * The text of the cluster's secret, as `decideSecret` has it: the one in the API, or the one that this node kept and
 * puts back, or a new one. Of all who create the Secret at once one succeeds; the others get what that one made. Tries
 * for as long as the API does not answer, and waits for as long as another node should put the Secret back.
 *
 * Rejects with E_SECRET_OTHER where this node would not reach the others with the Secret that is there,
 * E_SECRET_OBJECT where that holds none.
 */
export async function obtainSecret(options: SecretOptions): Promise<string> {
  const { say, lookMs = LOOK_MS, refusedMs = REFUSED_MS } = options;
  const startedAt = performance.now();
  let said: string | undefined;
  const sayOnce = (line: string): void => {
    if (line !== said) say(line);
    said = line;
  };
  for (;;) {
    const waitedMs = performance.now() - startedAt;
    const decision = await granted(options, () => look(options, waitedMs));
    switch (decision.step) {
      case 'use':
        return decision.text;
      case 'refuse':
        if (waitedMs >= refusedMs) throw decision.fault;
        sayOnce(decision.fault.line);
        break;
      case 'wait':
        sayOnce(decision.why);
        break;
      default:
        // What is there afterwards is looked at again: somebody else may have been quicker.
        await granted(options, () => carryOut(options, decision.step));
        continue;
    }
    await delay(lookMs);
  }
}

async function look(options: SecretOptions, waitedMs: number): Promise<SecretDecision> {
  const { client, namespace, kept, clusterIdOf: idOf } = options;
  const at = `/api/v1/namespaces/${namespace}`;
  const object = await orMissing(client.request(`${at}/secrets/${SECRET_NAME}`));
  const text = object === undefined ? undefined : secretOf(object);
  const genesis = readConfigMap(
    await orMissing(client.request(`${at}/configmaps/${GENESIS_NAME}`)).catch((error: unknown) => {
      // Without that permission a node starts with the Secret that is there, but makes none.
      if (text !== undefined && error instanceof ApiError && error.status === 403) return undefined;
      throw error;
    }),
  );
  const isNew = text === undefined && kept === undefined && genesis === undefined;
  return decideSecret({
    secret: text === undefined ? undefined : { text, clusterId: idOf(text) },
    genesis: genesis && { clusterId: clusterIdOf(genesis) },
    kept: kept?.secret,
    mayOthersHold: isNew && (await isAnyNodeReady(client)),
    waitedMs,
  });
}

/** While the manifest is applied for the first time no node has a network, so none is Ready. */
async function isAnyNodeReady(client: ApiClient): Promise<boolean> {
  const list = readList(await client.request(`/api/v1/nodes?limit=${NODE_PAGE}`));
  return (list?.items ?? []).some((item) => readNode(item)?.isReady);
}

/** First what tells others of the ring, then the Secret: so nobody who has the Secret begins another ring. */
async function carryOut(options: SecretOptions, step: 'put-back' | 'make'): Promise<void> {
  const { client, namespace, kept, newSecret, say } = options;
  const at = `/api/v1/namespaces/${namespace}`;
  if (step === 'put-back') {
    await createOnce(client, `${at}/configmaps`, kept?.genesisObject);
    say(`putting back Secret ${SECRET_NAME}, which this node kept`);
  }
  const text = step === 'make' ? newSecret() : kept!.secret.text;
  await createOnce(client, `${at}/secrets`, secretObject(namespace, text));
}

async function granted<T>({ random, say }: SecretOptions, act: () => Promise<T>): Promise<T> {
  const done = await untilGranted(async () => ({ result: await act() }), {
    random,
    signal: new AbortController().signal, // the kubelet ends us when it has to
    onFault: (error) => say(`the API of Kubernetes: ${error.message}; trying again`),
  });
  return done!.result;
}

/** Undefined where the object is not there. */
async function orMissing(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * Creates an object of the collection, unless there is one of that name. True where it was created: of several who try
 * at once one is told so.
 */
export async function createOnce(client: ApiClient, collection: string, body: unknown): Promise<boolean> {
  try {
    await client.request(collection, { method: 'POST', body });
    return true;
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
    return false;
  }
}
