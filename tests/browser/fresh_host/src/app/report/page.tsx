"use client";

import { useState } from "react";
import { getInsight } from "../actions";

export default function Report() {
  const [text, setText] = useState("");

  async function makeReport() {
    const answer = await fetch("/api/report", { method: "POST" });
    setText(await answer.text());
  }

  async function showInsight() {
    setText(await getInsight("my wallet"));
  }

  return (
    <main>
      <h1>Report</h1>
      <button onClick={makeReport}>Make the report</button>
      <button onClick={showInsight}>Insight</button>
      <output>{text}</output>
    </main>
  );
}
