import { session } from "../../../../lib/gate";

export const { GET, POST, DELETE } = session;
