import { required } from "./gate";

/** What costs money with every call: the model behind AI_URL. */
export async function ask(question: string): Promise<ReadableStream<Uint8Array>> {
  const answer = await fetch(required("AI_URL"), { method: "POST", body: question, cache: "no-store" });
  if (!answer.ok || !answer.body) throw new Error(`the model answered ${String(answer.status)}`);
  return answer.body;
}
