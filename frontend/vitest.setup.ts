import { configure } from "@testing-library/dom";

/** How long `findBy…` waits: a busy machine is no fault of a component. */
configure({ asyncUtilTimeout: 10_000 });
