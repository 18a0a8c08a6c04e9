"use client";

import { useId, useLayoutEffect, useRef, type CSSProperties, type MouseEvent, type ReactNode } from "react";
import { useT } from "../text.js";
import { useBackCloses } from "./back.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";

export interface DialogProps {
  onClose: () => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  /** Any CSS length; 30rem unless told. */
  width?: string;
  /** The main action comes later, and takes the focus then: until it is there, Enter does nothing. */
  waits?: boolean;
  /** It is what goes to paper, without the page behind it. */
  prints?: boolean;
}

/**
 * Open while it is rendered; a sheet at the bottom of small screens. The browser's own modal dialog keeps the focus
 * inside, gives it back, and needs no injected style (a strict content security policy would refuse one).
 */
export function Dialog({ onClose, title, description, children, width, waits = false, prints = false }: DialogProps) {
  const t = useT();
  const id = useId();
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    if (waits) (dialog?.querySelector<HTMLElement>("[data-main]") ?? dialog)?.focus();
    return () => dialog?.close();
  }, [waits]);
  useBackCloses(onClose);
  // Who selects text and lets go outside has not pressed the backdrop.
  const pressed = useRef<EventTarget | null>(null);
  const onBackdrop = (event: MouseEvent) => {
    if (event.target === ref.current && pressed.current === ref.current) onClose();
  };
  return (
    // The keyboard's way to what a click on the backdrop does is Escape, which the browser reports as `cancel`.
    // eslint-disable-next-line jsx-a11y-x/click-events-have-key-events, jsx-a11y-x/no-noninteractive-element-interactions
    <dialog
      ref={ref}
      className={prints ? "bsb bsb-dialog bsb-print" : "bsb bsb-dialog"}
      tabIndex={-1}
      style={width ? ({ "--width": width } as CSSProperties) : undefined}
      aria-labelledby={`${id}-title`}
      aria-describedby={description ? `${id}-description` : undefined}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => (pressed.current = event.target)}
      onClick={onBackdrop}
    >
      <div className="bsb-dialog-body bsb-stack bsb:gap-5">
        <div className="bsb-stack bsb:gap-1 bsb:pe-8">
          <h2 className="bsb-h2" id={`${id}-title`}>
            {title}
          </h2>
          {description && (
            <p className="bsb-2 bsb-small" id={`${id}-description`}>
              {description}
            </p>
          )}
        </div>
        {children}
      </div>
      <Button variant="ghost" size="icon" className="bsb-dialog-close" aria-label={t("close")} onClick={onClose}>
        <Icon name="close" />
      </Button>
    </dialog>
  );
}
