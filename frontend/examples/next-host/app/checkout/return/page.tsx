import { Suspense } from "react";
import { Return } from "./return";

export const metadata = { title: "Your purchase" };

/** The query is read in the browser, so that this page is the same for everybody too. */
export default function Page() {
  return (
    <Suspense fallback={<p>One moment …</p>}>
      <Return />
    </Suspense>
  );
}
