import type { Session } from "./session.js";

export interface HostSession {
  /** The host's server answered that it takes no session from this page: what it gates stays shut. */
  readonly refused: boolean;
  /** Tells the host again, although it was told before: its cookies may have ended meanwhile. */
  tellAgain(): Promise<void>;
}

const PATIENCE_MS = 5_000;

/**
 * The session, with the host's own servers in step: before a component gets a new token, the host's session route
 * (`session` of @bitsleuth/entitlements) has it in its cookies. So whoever sees a feature open in a page is known to the
 * host's routes and actions too. A host that cannot be reached is told with the next call.
 */
export function withHost(session: Session, url: string, fetch = globalThis.fetch): Session & HostSession {
  let accepted: string | null = null;
  let telling: { token: string; done: Promise<void> } | null = null;
  let refused = false;

  async function tell(token: string): Promise<void> {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ session_token: token });
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(url, { method: "POST", headers, body, signal }).catch(() => null);
    if (answer?.ok) accepted = token;
    refused = answer?.status === 403;
    // A mistake in the host's setup, which only its developer can mend.
    if (refused) console.error(`${url} refused this page's session:`, await answer?.text().catch(() => ""));
    if (session.userId === null) forget(); // Signed out meanwhile.
  }

  function forget(): void {
    accepted = null;
    // `keepalive`: the call outlives a page that is left.
    void fetch(url, { method: "DELETE", keepalive: true }).catch(() => undefined);
  }

  async function token(): Promise<string | null> {
    const someone = session.userId !== null;
    const token = await session.token();
    if (token === null) {
      // The sign-in has ended, of itself or elsewhere: the host need not try its cookies any more.
      if (accepted !== null || (someone && session.userId === null)) forget();
    } else if (token !== accepted) {
      if (telling?.token !== token) telling = { token, done: tell(token) };
      await telling.done;
      telling = null;
    }
    return token;
  }

  return {
    get userId() {
      return session.userId;
    },
    get signedInWith() {
      return session.signedInWith ?? null;
    },
    get ended() {
      return session.ended ?? null;
    },
    rejected: (token) => session.rejected?.(token),
    get refused() {
      return refused;
    },
    token,
    async tellAgain() {
      accepted = null;
      await token();
    },
    subscribe: (listener) => session.subscribe(listener),
    signIn: (signer) => session.signIn(signer),
    adopt: (token, refresh) => session.adopt(token, refresh),
    signOut() {
      session.signOut();
      forget();
    },
  };
}
