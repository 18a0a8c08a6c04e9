export async function ask(question: string) {
  const answer = await fetch(process.env.AI_URL!, { method: "POST", body: question });
  return answer.text();
}
