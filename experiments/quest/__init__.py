"""Tables and figures of QuEST and what they share; may import common and schema."""
