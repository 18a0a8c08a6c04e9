"use client";

import Gifts, { Redeemed } from "./Gifts.js";
import RedeemVoucher from "./RedeemVoucher.js";

/** All about vouchers: what was redeemed, redeeming one, and gifts. */
export default function Vouchers({ code }: { code?: string }) {
  return (
    <>
      <Redeemed />
      <RedeemVoucher {...(code === undefined ? {} : { code })} />
      <Gifts />
    </>
  );
}
