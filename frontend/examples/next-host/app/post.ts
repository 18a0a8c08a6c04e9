/** Posts to a route of ours; throws what it answered when it refused. */
export async function post(path: string, body = ""): Promise<string> {
  const response = await fetch(path, { method: "POST", body });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
