"use client";

import { LockedCard, Protected } from "@bitsleuth/billing-react";
import { useState } from "react";
import { post } from "./post";

/** A premium panel: hidden here for comfort, guarded by the route that it calls. */
export function Report() {
  return (
    <section aria-labelledby="report">
      <h2 id="report">Tax report</h2>
      <Protected feature="tax.enhanced" loading={<div className="panel waiting" aria-busy="true" />} fallback={<Locked />}>
        <Maker />
      </Protected>
    </section>
  );
}

function Locked() {
  return (
    <>
      <p>Every sale of the year with its cost basis, by the method you choose.</p>
      <LockedCard feature="tax.enhanced" />
    </>
  );
}

function Maker() {
  const [report, setReport] = useState("");
  async function make() {
    setReport(await post("/api/report").catch(() => "The report could not be made. Try again in a moment."));
  }
  return (
    <div className="panel">
      <p>Everything is in place for the report of 2026.</p>
      <button onClick={() => void make()}>Make the report</button>
      <output aria-live="polite">{report}</output>
    </div>
  );
}
