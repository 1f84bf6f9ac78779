/** A state machine as data: a list of arcs that anybody can read, print and test, and a cursor that follows them. */

export interface Arc<State extends string, Event extends string> {
  readonly from: State;
  readonly on: Event;
  readonly to: State;
}

export interface StateTable<State extends string, Event extends string> {
  readonly initial: State;
  readonly arcs: readonly Arc<State, Event>[];
}

export class StateMachine<State extends string, Event extends string> {
  readonly table: StateTable<State, Event>;
  private current: State;

  constructor(table: StateTable<State, Event>) {
    this.table = table;
    this.current = table.initial;
  }

  get state(): State {
    return this.current;
  }

  /** The events that lead on from here. None: this is a final state. */
  get expected(): readonly Event[] {
    return this.table.arcs.filter(({ from }) => from === this.current).map(({ on }) => on);
  }

  /** Follows the arc of an event. False, and nothing has changed, where there is none. */
  take(event: Event): boolean {
    const arc = this.table.arcs.find(({ from, on }) => from === this.current && on === event);
    if (arc === undefined) return false;
    this.current = arc.to;
    return true;
  }
}
