"use client";

import { parsePaywallError, type PaywallProblem } from "@bitsleuth/entitlements";
import { useEffect, useState, type FormEvent } from "react";
import { getInsight } from "./actions";

interface Outcome {
  text?: string;
  locked?: PaywallProblem;
}

interface SessionView {
  signedIn: boolean;
  plan: string | null;
}

/** What a host's pages do: call, show the answer or the paywall. The servers decide. */
export function Desk() {
  const [session, setSession] = useState<SessionView | null>(null);
  const [outcome, setOutcome] = useState<Outcome>({});

  useEffect(() => {
    void fetch("/api/billing/session").then(async (answer) => {
      setSession((await answer.json()) as SessionView);
    });
  }, []);

  async function signIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const session_token = new FormData(event.currentTarget).get("token");
    const answer = await fetch("/api/billing/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ session_token }),
    });
    if (answer.ok) setSession((await answer.json()) as SessionView);
  }

  async function call(path: string) {
    setOutcome({});
    const answer = await fetch(path, { method: "POST", body: "How much did I spend on fees?" });
    const text = await answer.text();
    const locked = answer.ok ? null : parsePaywallError(text);
    setOutcome(locked ? { locked } : { text: answer.ok ? text : `Error ${String(answer.status)}` });
  }

  async function insight() {
    setOutcome({});
    const result = await getInsight("my wallet");
    setOutcome(result.ok ? { text: result.data } : { locked: result.error });
  }

  return (
    <>
      <p data-testid="session">{session === null ? "…" : session.signedIn ? `Plan: ${session.plan ?? ""}` : "Signed out"}</p>
      <form onSubmit={(event) => void signIn(event)}>
        <label>
          Session token <input name="token" type="password" autoComplete="off" />
        </label>
        <button>Sign in</button>
      </form>
      <p>
        <button onClick={() => void call("/api/chat")}>Ask</button>{" "}
        <button onClick={() => void call("/api/report")}>Report</button>{" "}
        <button onClick={() => void insight()}>Insight</button>
      </p>
      <output aria-live="polite">
        {outcome.text}
        {outcome.locked && (
          <section data-testid="locked">
            <strong>{outcome.locked.feature} is locked</strong> ({outcome.locked.scenario}).{" "}
            {outcome.locked.offers.map((offer) => offer.name).join(", ")} <a href={outcome.locked.upgrade_url}>Upgrade</a>
          </section>
        )}
      </output>
    </>
  );
}
