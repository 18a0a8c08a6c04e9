"use client";

import { useMemo } from "react";
import { renderSVG } from "uqr";

/** A code to scan; `label` says what it holds. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const drawing = useMemo(() => renderSVG(text, { border: 0, pixelSize: 4 }), [text]);
  return (
    <figure className="bsb-qr bsb:self-center" role="img" aria-label={label}>
      {/* Our own drawing of a code: no markup can come through. */}
      <div dangerouslySetInnerHTML={{ __html: drawing }} />
    </figure>
  );
}
