"use client";

import { useEffect, useRef, useState } from "react";
import { Button } from "../ui/Button.js";
import { Notice } from "../ui/Notice.js";
import { useWalletT } from "./texts.js";

interface Detector {
  detect(source: HTMLVideoElement): Promise<readonly { rawValue: string }[]>;
}
type Detectors = new (options: { formats: readonly string[] }) => Detector;

const detectors = () => (globalThis as { BarcodeDetector?: Detectors }).BarcodeDetector;

/** Whether this browser can read a code with its camera. */
export const canScan = () => detectors() !== undefined && "mediaDevices" in navigator;

/** The camera, until it sees a connection to a wallet. Nothing that it sees leaves the page. */
export function Scan({ onFound, onClose }: { onFound: (text: string) => void; onClose: () => void }) {
  const t = useWalletT();
  const video = useRef<HTMLVideoElement>(null);
  const handler = useRef(onFound);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    handler.current = onFound;
  }, [onFound]);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let over = false;
    async function look() {
      const Detectors = detectors();
      const shown = video.current;
      if (!Detectors || !shown) return setFailed(true);
      const detector = new Detectors({ formats: ["qr_code"] });
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (over) return stop();
      shown.srcObject = stream;
      await shown.play();
      while (!over) {
        const codes = await detector.detect(shown);
        const text = codes.find(({ rawValue }) => /^nostr\+?walletconnect:/i.test(rawValue))?.rawValue;
        if (text) return handler.current(text);
        await new Promise((next) => setTimeout(next, 250));
      }
    }
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    look().catch(() => !over && setFailed(true));
    return () => {
      over = true;
      stop();
    };
  }, []);
  return (
    <div className="bsb-stack bsb:gap-2">
      {failed ? (
        <Notice tone="warn" live>{t("wallet.scan_failed")}</Notice>
      ) : (
        <video ref={video} className="bsb:w-full bsb:max-w-xs bsb:rounded-lg" muted playsInline aria-label={t("wallet.scan_view")} />
      )}
      <div className="bsb-row">
        <Button size="small" onClick={onClose}>
          {t("wallet.scan_stop")}
        </Button>
      </div>
    </div>
  );
}
