/**
 * What is shown to who has no session: how to get a link, and a form where a token of Kubernetes will do.
 *
 * @import { Session } from './session.js'
 */
import { byId, element } from '../view/dom.js';
import { ServerFault } from './session.js';

/**
 * Asks until somebody has signed in.
 *
 * @param {Session} session
 * @param {string} reason why a session is wanted
 * @returns {Promise<void>}
 */
export async function signIn(session, reason) {
  const where = byId('sign-in');
  byId('page').hidden = true;
  where.hidden = false;
  const takesTokens = await session.takesTokens().catch(() => undefined);
  const isAway = takesTokens === undefined;
  const said = element('p', { role: 'alert', class: 'notice bad', hidden: true });
  const token = element('input', {
    type: 'password',
    id: 'kubernetes-token',
    autocomplete: 'off',
    required: true,
  });
  const form = element(
    'form',
    { class: 'ask' },
    element(
      'label',
      { class: 'field wide' },
      element('span', { text: 'Or a token of Kubernetes: you see the namespaces whose pods you may list' }),
      token,
    ),
    element('div', { class: 'row' }, element('button', { type: 'submit', text: 'Sign in' })),
  );
  where.replaceChildren(
    element(
      'section',
      { class: 'panel', 'aria-labelledby': 'sign-in-title' },
      element('h2', { id: 'sign-in-title', text: isAway ? 'weft ui does not answer' : 'A link is needed' }),
      element('p', { text: reason }),
      element(
        'p',
        {},
        'Run ',
        element('code', { text: 'weft ui' }),
        ' and open the link that it prints. Each link is good for one browser, once.',
      ),
      takesTokens === true && form,
      said,
    ),
  );
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      form.addEventListener('submit', async (event) => {
        event.preventDefault();
        try {
          await session.open({ kubernetesToken: token.value });
          resolve();
        } catch (error) {
          const fault =
            error instanceof ServerFault ? error.fault : { message: 'weft ui does not answer', remedy: '' };
          said.textContent = [fault.message, fault.remedy].filter((each) => each !== '').join('; ');
          said.hidden = false;
        }
      });
      // Another link may be opened in this very tab.
      addEventListener('hashchange', () => location.reload(), { once: true });
    })
  );
  where.hidden = true;
}
