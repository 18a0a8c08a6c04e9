"use client";

import { lazy, Suspense } from "react";
import { useT } from "../text.js";
import { Dialog } from "../ui/Dialog.js";
import { Skeleton } from "../ui/Skeleton.js";
import type { InvoiceId } from "./CryptoInvoice.js";

// With its QR encoder, only for those who pay in bitcoin.
const CryptoInvoice = lazy(async () => ({ default: (await import("./CryptoInvoice.js")).CryptoInvoice }));

interface InvoiceDialogProps {
  of: InvoiceId;
  plan: string;
  url?: string;
  onAgain?: () => void;
  onClose: () => void;
}

export function InvoiceDialog({ of, plan, url, onAgain, onClose }: InvoiceDialogProps) {
  const t = useT();
  return (
    <Dialog onClose={onClose} title={t("invoice.title")} description={plan}>
      <Suspense fallback={<Skeleton height="24rem" />}>
        <CryptoInvoice of={of} onDone={onClose} {...(url ? { url } : {})} {...(onAgain ? { onAgain } : {})} />
      </Suspense>
    </Dialog>
  );
}
