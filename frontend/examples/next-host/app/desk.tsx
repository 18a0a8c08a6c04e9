"use client";

import { parsePaywallError, UpgradeDialog, useEntitlements, type PaywallProblem } from "@bitsleuth/billing-react";
import { useState, type FormEvent } from "react";
import { getInsight } from "./actions";
import { post } from "./post";

/** What a host's pages do: call, and show the answer or why there is none. The servers decide. */
export function Desk() {
  const [answer, setAnswer] = useState("");
  const [paywall, setPaywall] = useState<PaywallProblem | null>(null);
  const { can } = useEntitlements();

  async function show(work: Promise<string>) {
    setAnswer("…");
    try {
      setAnswer(await work);
    } catch (error) {
      const problem = parsePaywallError(error);
      setAnswer(problem ? "" : "That did not work. Try again in a moment.");
      setPaywall(problem);
    }
  }

  function ask(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const question = new FormData(event.currentTarget).get("question");
    void show(post("/api/chat", String(question)));
  }

  return (
    <section className="panel" aria-labelledby="desk">
      <h2 id="desk">Ask</h2>
      <form onSubmit={ask}>
        <label htmlFor="question">Question</label>
        <input id="question" name="question" defaultValue="How much did I spend on fees?" />
        <div className="actions">
          <button>Ask</button>
          <button type="button" className="quiet" onClick={() => void show(insight())}>
            {can("ai.insights") ? "Today's insight" : "Today's insight (Plus)"}
          </button>
        </div>
      </form>
      <output aria-live="polite">{answer}</output>
      {paywall && <UpgradeDialog feature={paywall.feature} problem={paywall} onClose={() => setPaywall(null)} />}
    </section>
  );
}

/** An action returns its refusal; thrown here, it meets the same `catch` as that of a route. */
async function insight(): Promise<string> {
  const result = await getInsight("my wallet");
  if (!result.ok) throw result.error;
  return result.data;
}
