import { ApiError } from "@bitsleuth/billing-api-client";

/** The answer, or an error when it takes longer: a service that hangs is one that cannot be reached. */
export async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ApiError(0, "network", "The billing service did not answer.")), milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls when the page is looked at again, and when the network is back; the answer stops it. */
export function onReturn(look: () => void): () => void {
  const onVisible = () => {
    if (document.visibilityState === "visible") look();
  };
  document.addEventListener("visibilitychange", onVisible);
  addEventListener("focus", look);
  addEventListener("online", look);
  return () => {
    document.removeEventListener("visibilitychange", onVisible);
    removeEventListener("focus", look);
    removeEventListener("online", look);
  };
}
