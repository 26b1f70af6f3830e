/** How to reach the API server, and as whom. */
export interface ApiAccess {
  readonly host: string;
  readonly port: number;
  /** Stands before each path, where the API is served below one: `/k8s/clusters/c-1`. */
  readonly basePath?: string;
  /** The name that the server's certificate must have, where that is not `host`. */
  readonly serverName?: string;
  /** Whom to trust, as it is now. PEM; undefined for those whom Node.js trusts. */
  ca(): string | undefined;
  /** As whom to ask, as it is now. May reject with an ApiError where a program had to be asked, and it failed. */
  credentials(): ApiCredentials | Promise<ApiCredentials>;
  /** The namespace this pod runs in, or that of the kubeconfig's context. */
  readonly namespace: string;
}

/** As whom the API is asked: by a token, by a certificate, or by both. */
export interface ApiCredentials {
  readonly token?: string;
  /** PEM of both. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}
