"use client";

import { lazy, Suspense, useEffect } from "react";
import { useBilling } from "../provider.js";
import type { EntitlementStore } from "../entitlements.js";
import { useT } from "../text.js";
import { Dialog } from "../ui/Dialog.js";
import { Skeleton } from "../ui/Skeleton.js";
import type { CryptoInvoiceProps, InvoiceId } from "./CryptoInvoice.js";

// With its QR encoder, only for those who pay in bitcoin.
const Invoice = lazy(async () => ({ default: (await import("./CryptoInvoice.js")).CryptoInvoice }));

/** A bitcoin invoice to pay, on a page of the host's own. */
export function CryptoInvoice(props: CryptoInvoiceProps) {
  return (
    <Suspense fallback={<Skeleton height="42.25rem" />}>
      <Invoice {...props} />
    </Suspense>
  );
}

interface InvoiceDialogProps {
  of: InvoiceId;
  plan: string;
  url?: string;
  onAgain?: () => void;
  /** Called once, when the payment is settled. */
  onPaid?: () => void;
  onClose: () => void;
}

export function InvoiceDialog({ of, plan, url, onAgain, onPaid, onClose }: InvoiceDialogProps) {
  const t = useT();
  const { store } = useBilling();
  useEffect(() => hold(store), [store]);
  return (
    <Dialog onClose={onClose} title={t("invoice.title")} description={plan}>
      <CryptoInvoice of={of} onDone={onClose} {...(url && { url })} {...(onAgain && { onAgain })} {...(onPaid && { onPaid })} />
    </Dialog>
  );
}

/** A gate that opens behind the dialog would take it away before its buyer has read what became of the payment. */
function hold(store: EntitlementStore): () => void {
  store.held++;
  return () => {
    store.held--;
    void store.refresh();
  };
}
