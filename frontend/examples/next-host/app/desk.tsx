"use client";

import { useEntitlements, usePaywall } from "@bitsleuth/billing-react/gate";
import { useState, type FormEvent } from "react";
import { getInsight } from "./actions";
import { post } from "./post";

/** What a host's pages do: call, and show the answer or why there is none. The servers decide. */
export function Desk() {
  const [answer, setAnswer] = useState("");
  const { can } = useEntitlements();
  const { run, dialog } = usePaywall();

  async function show(call: () => Promise<string | null>) {
    setAnswer("…");
    setAnswer((await call().catch(() => "That did not work. Try again in a moment.")) ?? "");
  }

  function ask(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const question = String(new FormData(event.currentTarget).get("question"));
    void show(() => run(() => post("/api/chat", question)));
  }

  return (
    <section className="panel" aria-labelledby="desk">
      <h2 id="desk">Ask</h2>
      <form onSubmit={ask}>
        <label htmlFor="question">Question</label>
        <input id="question" name="question" defaultValue="How much did I spend on fees?" />
        <div className="actions">
          <button>Ask</button>
          <button type="button" className="quiet" onClick={() => void show(() => run(() => getInsight("my wallet")))}>
            {can("ai.insights") ? "Today's insight" : "Today's insight (Plus)"}
          </button>
        </div>
      </form>
      <output aria-live="polite">{answer}</output>
      {dialog}
    </section>
  );
}
