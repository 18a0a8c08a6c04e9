import type { Session } from "./session.js";

/**
 * The session, with the host's own servers in step: before a component gets a new token, the host's session route
 * (`createGate().session` of @bitsleuth/entitlements) has it in its cookies. So whoever sees a feature open in a page is
 * known to the host's routes and actions too. A host that cannot be reached is told with the next call.
 */
export function withHost(session: Session, url: string, fetch = globalThis.fetch): Session {
  let told: string | null = null;
  let telling: { token: string; done: Promise<void> } | null = null;

  async function tell(token: string): Promise<void> {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ session_token: token });
    const answer = await fetch(url, { method: "POST", headers, body }).catch(() => null);
    if (answer?.ok) told = token;
    if (session.userId === null) forget(); // Signed out meanwhile.
  }

  function forget(): void {
    told = null;
    // `keepalive`: the call outlives a page that is left.
    void fetch(url, { method: "DELETE", keepalive: true }).catch(() => undefined);
  }

  return {
    get userId() {
      return session.userId;
    },
    get admin() {
      return session.admin;
    },
    async token() {
      const token = await session.token();
      if (token === null) {
        if (told !== null) forget();
      } else if (token !== told) {
        if (telling?.token !== token) telling = { token, done: tell(token) };
        await telling.done;
        telling = null;
      }
      return token;
    },
    subscribe: (listener) => session.subscribe(listener),
    signIn: (signer) => session.signIn(signer),
    adopt: (token) => session.adopt(token),
    signOut() {
      session.signOut();
      forget();
    },
  };
}
