import { Desk } from "./desk";
import { Report } from "./report";

export default function Page() {
  return (
    <>
      <h1>Your wallet, in plain words</h1>
      <p className="lead">Ask what happened and why. Five questions a month are free, with a key in place of an account.</p>
      <Desk />
      <Report />
    </>
  );
}
