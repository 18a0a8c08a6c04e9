"use client";

import { useEffect, useRef, type AnchorHTMLAttributes, type ButtonHTMLAttributes, type RefObject } from "react";
import { classes } from "./classes.js";

interface Look {
  variant?: "primary" | "secondary" | "ghost" | "danger";
  size?: "small" | "icon" | undefined;
  /** What a dialog is there for: it takes the focus of one that waits for it. */
  main?: boolean;
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  /** Shows a spinner and ignores clicks; the label stays, so that nothing moves. */
  busy?: boolean;
}

const look = ({ variant = "secondary", size }: Look, extra?: string) =>
  classes("bsb-button", `bsb-button-${variant}`, size && `bsb-button-${size}`, extra);

function useMain<E extends HTMLElement>(main: boolean): RefObject<E | null> {
  const ref = useRef<E>(null);
  useEffect(() => {
    const dialog = main ? ref.current?.closest("dialog") : null;
    if (dialog && document.activeElement === dialog) ref.current?.focus();
  }, [main]);
  return ref;
}

export function Button({ variant, size, main = false, busy = false, className, children, onClick, ...rest }: ButtonProps) {
  return (
    <button
      ref={useMain<HTMLButtonElement>(main)}
      data-main={main || undefined}
      type="button"
      {...rest}
      className={look({ ...(variant ? { variant } : {}), size }, className)}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
    >
      {busy && <span className="bsb-spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}

export function ButtonLink({ variant, size, main = false, className, children, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & Look) {
  return (
    <a
      ref={useMain<HTMLAnchorElement>(main)}
      data-main={main || undefined}
      {...rest}
      className={look({ ...(variant ? { variant } : {}), size }, className)}
    >
      {children}
    </a>
  );
}
