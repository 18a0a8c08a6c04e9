import { Desk } from "./desk";

/** The same for everybody and cached at the edge: nothing of a user may be rendered here. */
export const revalidate = 300;

export default function Page() {
  return (
    <main>
      <h1>Example host</h1>
      <Desk />
    </main>
  );
}
