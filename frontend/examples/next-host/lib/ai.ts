/** What costs money with every call: the model behind AI_URL. Without one, a canned answer, to try the rest. */
export async function ask(question: string): Promise<ReadableStream<Uint8Array>> {
  const url = process.env.AI_URL;
  const answer = url
    ? await fetch(url, { method: "POST", body: question, cache: "no-store" })
    : new Response("A model would answer here: set AI_URL.");
  if (!answer.ok || !answer.body) throw new Error(`the model answered ${String(answer.status)}`);
  return answer.body;
}
