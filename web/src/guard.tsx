/**
 * Keeps a fault in one panel from taking the others with it. It takes a panel, and says in words that it failed.
 */

import { Component, type ComponentChildren } from "preact";

interface Properties {
  /** The panel, in words. */
  name: string;
  children: ComponentChildren;
}

export class Guard extends Component<Properties, { sentence: string | null }> {
  override state = { sentence: null };

  static override getDerivedStateFromError(error: unknown): { sentence: string } {
    return { sentence: error instanceof Error ? error.message : String(error) };
  }

  override render(): ComponentChildren {
    if (this.state.sentence === null) return this.props.children;
    return (
      <section class="panel" aria-label={this.props.name}>
        <p class="trouble" role="alert">
          The panel “{this.props.name}” cannot show the exporter's answer: {this.state.sentence}.{" "}
          <button type="button" class="button" onClick={() => this.setState({ sentence: null })}>
            Try again
          </button>
        </p>
      </section>
    );
  }
}
