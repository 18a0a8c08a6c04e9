"use client";

import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from "react";
import { classes } from "./classes.js";

interface Look {
  variant?: "primary" | "secondary" | "ghost" | "danger";
  size?: "small" | "icon" | undefined;
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  /** Shows a spinner and ignores clicks; the label stays, so that nothing moves. */
  busy?: boolean;
}

const look = ({ variant = "secondary", size }: Look, extra?: string) =>
  classes("bsb-button", `bsb-button-${variant}`, size && `bsb-button-${size}`, extra);

export function Button({ variant, size, busy = false, className, children, onClick, ...rest }: ButtonProps) {
  return (
    <button
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

export function ButtonLink({ variant, size, className, children, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & Look) {
  return (
    <a {...rest} className={look({ ...(variant ? { variant } : {}), size }, className)}>
      {children}
    </a>
  );
}
