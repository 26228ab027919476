"""What an agency sets at its node: rules, sections, four eyes; read anew when told."""
