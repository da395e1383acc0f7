/**
 * The row of each table, as the API has it.
 */

import type { DeviceRow, FlowRow, HostRow, PairRow, ProtocolRow, ServiceRow } from "../api.ts";

export type Rows = {
  hosts: HostRow;
  devices: DeviceRow;
  pairs: PairRow;
  flows: FlowRow;
  services: ServiceRow;
  protocols: ProtocolRow;
};
