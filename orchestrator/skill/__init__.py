"""What a member has learned to do: Skill Documents, their versions, how they are found."""
