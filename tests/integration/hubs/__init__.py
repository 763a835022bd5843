"""What every hub must do: nchan in nginx, and a double of Mercure."""
