/** Why a request of the page is not granted, in words for whoever looks at it. */
export const UI_ERRORS = {
  E_UI_HOST: [
    403,
    'this server is reached as 127.0.0.1 or localhost only',
    'open the link as it was printed',
  ],
  E_UI_ORIGIN: [403, 'a page of another origin asks', "open the link of 'weft ui' itself"],
  E_UI_SITE: [403, 'a page of another site asks', "open the link of 'weft ui' itself"],
  E_UI_TYPE: [415, 'the request is no JSON', 'send application/json'],
  E_UI_SESSION: [403, 'no session is known by this token', "open a new link of 'weft ui', or sign in again"],
  E_UI_LINK: [
    403,
    'this link was used already, or is too old',
    "press Enter where 'weft ui' runs, for a new one",
  ],
  E_UI_OFTEN: [429, 'this is asked too often', 'try again in a moment'],
  E_UI_VIEWERS: [503, 'too many look at once', 'close other pages, or try again later'],
  E_UI_PATH: [404, 'there is no such page', 'open /'],
  E_UI_METHOD: [405, 'this cannot be done with it', 'reload the page'],
  E_UI_BODY: [400, 'the request cannot be read', 'reload the page'],
  E_UI_LARGE: [413, 'the request is too large', 'send less'],
  E_UI_PODS: [
    403,
    'you may not see both of these pods',
    'ask for pods of your namespaces, as NAMESPACE/NAME',
  ],
  E_UI_TRY: [403, 'who came by a token may not try policies', "ask who runs 'weft ui' for its link"],
  E_UI_NO_TOKENS: [403, "this 'weft ui' takes no tokens", "start it with '--tokens'"],
} as const satisfies Record<string, readonly [status: number, message: string, remedy: string]>;

export type UiErrorCode = keyof typeof UI_ERRORS;
